"""Demo data of `make up`: a clinic, a salon, a gym and a restaurant with customers, appointments and calls."""
