"""The simulated AWS: a thin layer over moto's server, for the demo and the tests."""
