"""Capacity planning: measured service times, a queue simulation and a plan of replicas."""
