#!/usr/bin/env python3
"""Trains a small neural network to tell two spirals apart, with numpy alone, in about a second."""

from __future__ import annotations

import argparse
import platform
import sys
import time

import numpy as np

POINTS = 400
HIDDEN = 48
RATE = 0.02
GOOD = 0.95


def spirals(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return points of two spirals around each other, and which spiral each belongs to."""
    turn = np.sqrt(rng.random(POINTS)) * 3 * np.pi
    label = np.arange(POINTS) % 2
    angle = turn + np.pi * label
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1) * turn[:, None] / (3 * np.pi)
    return points + rng.normal(0, 0.01, points.shape), label.astype(float)[:, None]


def main() -> int:
    """Train, save the weights, and return 0 when the network has learnt."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--steps", type=int, default=2000)
    words.add_argument("--save", default="model.npz", metavar="FILE")
    asked = words.parse_args()
    rng = np.random.default_rng(7)
    inputs, labels = spirals(rng)
    # A spiral is easy once its radius is known.
    inputs = np.hstack([inputs, np.sin(9 * inputs), np.cos(9 * inputs), np.hypot(*inputs.T)[:, None]])
    weights = [rng.normal(0, 0.5, (inputs.shape[1], HIDDEN)), np.zeros(HIDDEN)]
    weights += [rng.normal(0, 0.5, (HIDDEN, 1)), np.zeros(1)]
    means = [np.zeros_like(one) for one in weights]
    squares = [np.zeros_like(one) for one in weights]
    print(f"Python {platform.python_version()}, numpy {np.__version__}, on {platform.node()}", flush=True)
    begun = time.perf_counter()
    correct = 0.0
    for step in range(1, asked.steps + 1):
        hidden = np.tanh(inputs @ weights[0] + weights[1])
        guess = 1 / (1 + np.exp(-(hidden @ weights[2] + weights[3])))
        error = (guess - labels) / POINTS
        back = (error @ weights[2].T) * (1 - hidden**2)
        gradients = [inputs.T @ back, back.sum(0), hidden.T @ error, error.sum(0)]
        for place, gradient in enumerate(gradients):  # Adam
            means[place] = 0.9 * means[place] + 0.1 * gradient
            squares[place] = 0.999 * squares[place] + 0.001 * gradient**2
            size = np.sqrt(squares[place] / (1 - 0.999**step)) + 1e-8
            weights[place] = weights[place] - RATE * means[place] / (1 - 0.9**step) / size
        if step == 1 or step % max(1, asked.steps // 5) == 0:
            loss = -np.mean(np.log(np.where(labels == 1, guess, 1 - guess) + 1e-12))
            correct = float(np.mean(np.round(guess) == labels))
            print(f"step {step:5d}  loss {loss:.4f}  correct {correct:.1%}", flush=True)
    np.savez(asked.save, *weights)
    print(f"trained in {time.perf_counter() - begun:.1f} s, weights in {asked.save}")
    return 0 if correct >= GOOD else 1


if __name__ == "__main__":
    sys.exit(main())
