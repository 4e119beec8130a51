"""Demo data of `make up`: a clinic, a salon and a gym with customers, appointments and calls."""
