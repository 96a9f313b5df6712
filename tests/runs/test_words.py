"""What the pages say in two languages."""

from __future__ import annotations

import re
from typing import Optional

import numpy as np
import pytest

from paddle_umsft.data.trust import Reason, Verdict
from paddle_umsft.runs.words import PHRASES, reason_in_chinese, verdict_words
from paddle_umsft.trust import reasons

CHINESE = re.compile(r"[\u4e00-\u9fff]")
# What stays English in a Chinese sentence: names of images, and units.
NAMES = {"LR", "HSI", "MSI", "NaN", "gamma", "dB", "nm"}
SUPPORT = np.array([0, 0, 2, 2, 1, 2])

ALL_REASONS = [
    reasons.about_belonging(float("nan")),
    reasons.about_belonging(0.2),
    reasons.about_belonging(0.7),
    reasons.about_belonging(0.97),
    reasons.about_agreement(0.3),
    reasons.about_agreement(0.8),
    reasons.about_error(float("nan"), 0.1, 1.0),
    reasons.about_error(0.1, 0.1, 1.0),
    reasons.about_error(0.01, 0.1, 1.0),
    reasons.about_support(SUPPORT, None),
    reasons.about_support(SUPPORT, np.linspace(400, 700, 6)),
    *reasons.about_findings({"shift": 1, "tone curve": 2, "moved": 3, "drowned bands": [1]}),
    reasons.about_truth(20.0, 30.0),
]


@pytest.mark.parametrize("reason", ALL_REASONS)
def test_every_reason_of_a_verdict_has_a_translation(reason: Optional[Reason]) -> None:
    assert reason is not None
    chinese = reason_in_chinese(reason.text)
    assert CHINESE.search(chinese)
    assert set(re.findall(r"[A-Za-z]{2,}", chinese)) <= NAMES
    # Every number is still there.
    assert re.findall(r"\d+\.?\d*", chinese) == re.findall(r"\d+\.?\d*", reason.text)


def test_a_verdict_in_both_languages() -> None:
    verdict = Verdict.of([Reason("good", "found and undone: shift"), Reason("bad", "something new")])
    words = verdict_words(verdict.storable())
    assert words.en == "do not trust this: something new; found and undone: shift"
    assert words.zh == "不可信：something new；已发现并校正：平移"


def test_every_phrase_has_a_translation() -> None:
    assert [name for name, words in PHRASES.items() if not CHINESE.search(words.zh)] == []
