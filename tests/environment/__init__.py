"""Conda as it really behaves, met by `provision up`: what the user types, what happens, what is said."""
