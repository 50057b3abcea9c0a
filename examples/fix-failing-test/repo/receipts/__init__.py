"""Splitting bills, in whole cents."""
