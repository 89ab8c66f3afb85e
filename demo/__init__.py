"""The simulated AWS and the demo that runs on it; never imported by the application."""
