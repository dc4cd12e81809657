"""Training in compiled segments: data, updates, and the schedule of events."""
