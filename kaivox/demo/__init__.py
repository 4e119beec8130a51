"""The demo that `make up` begins with: a clinic, a salon and a gym, credible to the last call."""
