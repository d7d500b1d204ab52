"""Alerts: a failed check or run is told to people, by e-mail or webhook."""
