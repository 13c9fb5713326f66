#!/usr/bin/env python3
"""Trains a small neural network to guess the next letter of a text, with nothing but Python, in about half a minute.

Its output has what long trainings have: a line for each epoch on stdout, a progress bar on stderr, checkpoints.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import random
import sys
import time
from pathlib import Path

TEXT = (
    "she sells sea shells by the sea shore. the shells she sells are sea shells for sure. so if she sells shells on "
    "the sea shore, then i am sure she sells sea shore shells. "
)
LETTERS = sorted(set(TEXT))
CONTEXT, WIDTH, HIDDEN = 4, 6, 24
"""Letters that are looked at, numbers for each of them, and units between."""
FEWEST_EPOCHS = 3


class Model:
    """Letters become numbers, those a hidden layer, and that a guess for each letter."""

    def __init__(self, rng: random.Random) -> None:
        def table(rows: int, columns: int) -> list[list[float]]:
            return [[rng.gauss(0, 1 / math.sqrt(columns)) for _ in range(columns)] for _ in range(rows)]

        self.letters = table(len(LETTERS), WIDTH)
        self.inner = table(HIDDEN, CONTEXT * WIDTH)
        self.outer = table(len(LETTERS), HIDDEN)

    def learn(self, context: list[int], wanted: int, rate: float) -> float:
        """Take one step towards the right letter; return the loss before it."""
        given = [number for letter in context for number in self.letters[letter]]
        hidden = [math.tanh(sum(w * x for w, x in zip(row, given, strict=True))) for row in self.inner]
        scores = [sum(w * h for w, h in zip(row, hidden, strict=True)) for row in self.outer]
        most = max(scores)
        weights = [math.exp(score - most) for score in scores]
        total = sum(weights)
        errors = [weight / total for weight in weights]
        loss = -math.log(errors[wanted] + 1e-12)
        errors[wanted] -= 1.0
        back = [sum(e * row[j] for e, row in zip(errors, self.outer, strict=True)) for j in range(HIDDEN)]
        for error, row in zip(errors, self.outer, strict=True):
            for j, h in enumerate(hidden):
                row[j] -= rate * error * h
        given_back = [0.0] * len(given)
        for j, row in enumerate(self.inner):
            slope = back[j] * (1 - hidden[j] ** 2)
            for i, x in enumerate(given):
                given_back[i] += slope * row[i]
                row[i] -= rate * slope * x
        for place, letter in enumerate(context):
            for i in range(WIDTH):
                self.letters[letter][i] -= rate * given_back[place * WIDTH + i]
        return loss


def main() -> int:
    """Train, keep the newest model, and return 0 when it has learnt."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--seconds", type=float, default=30.0, help="about how long to train (default 30)")
    words.add_argument("--save", default="checkpoints/model.json", metavar="FILE")
    asked = words.parse_args()
    rng = random.Random(7)  # noqa: S311 - no secret depends on it
    model = Model(rng)
    text = [LETTERS.index(letter) for letter in TEXT]
    places = list(range(CONTEXT, len(text)))
    print(f"Python {platform.python_version()} on {platform.node()}, process {os.getpid()}", flush=True)
    begun = time.monotonic()
    first = loss = math.inf
    epoch = 0
    while time.monotonic() - begun < asked.seconds or epoch < FEWEST_EPOCHS:
        epoch += 1
        rng.shuffle(places)
        total = 0.0
        for number, place in enumerate(places, 1):
            total += model.learn(text[place - CONTEXT : place], text[place], 0.05)
            if number % 20 == 0 or number == len(places):
                done = 30 * number // len(places)
                print(f"\repoch {epoch:4d} [{'#' * done:<30}]", end="", file=sys.stderr, flush=True)
        loss = total / len(places)
        first = min(first, loss) if epoch == 1 else first
        print(file=sys.stderr, flush=True)
        print(f"epoch {epoch:4d}  loss {loss:.4f}  after {time.monotonic() - begun:.1f} s", flush=True)
        save(Path(asked.save), model, epoch)
    print("it has learnt" if loss < first else "it has not learnt", flush=True)
    return 0 if loss < first else 1


def save(path: Path, model: Model, epoch: int) -> None:
    """Write the newest model by rename: a job that is stopped leaves a whole one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({"epoch": epoch, **vars(model)}))
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())
