"""python -m tests.calls.sentiment.train: makes calls/sentiment_weights.json from tuning.tsv.

Softmax regression with L2, by gradient descent with momentum; the same input makes the same file.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from math import exp
from pathlib import Path

from calls.sentiment import LABELS, WEIGHTS, features

HERE = Path(__file__).parent
DECAY = 0.001
RATE = 3.0
MOMENTUM = 0.9
ROUNDS = 200

Row = tuple[str, Mapping[str, float]]


def read(name: str) -> list[tuple[str, str]]:
    """Label and text of each passage of `<name>.tsv`."""
    lines = (HERE / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    return [(label, text) for label, _, text in (line.partition("\t") for line in lines)]


def train(passages: Sequence[tuple[str, str]]) -> dict[str, list[float]]:
    """The weights of each feature for each of LABELS; features that stand once are left out."""
    rows = [(label, features(text)) for label, text in passages]
    counts = Counter(name for _, found in rows for name in found)
    weights = {name: [0.0, 0.0, 0.0] for name, count in counts.items() if count > 1}
    speed = {name: [0.0, 0.0, 0.0] for name in weights}
    for _ in range(ROUNDS):
        slope = {name: [DECAY * weight for weight in weights[name]] for name in weights}
        for label, found in rows:
            known = [(name, value) for name, value in found.items() if name in weights]
            for place, error in enumerate(_errors(label, known, weights)):
                for name, value in known:
                    slope[name][place] += error * value / len(rows)
        for name, of_name in slope.items():
            for place, push in enumerate(of_name):
                speed[name][place] = MOMENTUM * speed[name][place] - RATE * push
                weights[name][place] += speed[name][place]
    return {name: [round(weight, 3) for weight in weights[name]] for name in sorted(weights)}


def _errors(
    label: str, known: Sequence[tuple[str, float]], weights: Mapping[str, list[float]]
) -> list[float]:
    """Probability minus truth, for each label."""
    sums = [sum(value * weights[name][place] for name, value in known) for place in range(3)]
    powers = [exp(one - max(sums)) for one in sums]
    return [power / sum(powers) - (label == LABELS[at]) for at, power in enumerate(powers)]


if __name__ == "__main__":
    made = train(read("tuning"))
    lines = (f"{json.dumps(name)}: {json.dumps(made[name])}" for name in made)
    WEIGHTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
