"""What the pages say in two languages; the reader's browser chooses, and both stand in the page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union


@dataclass(frozen=True)
class Words:
    """The same in English and in Chinese.

    Attributes:
        en: In English.
        zh: In Chinese.
    """

    en: str
    zh: str

    def __str__(self) -> str:
        """Both, for places that hold text alone and cannot choose: what is read where no picture is seen."""
        return f"{self.en} · {self.zh}"


# What a page can show: words in two languages, or text that has only one, such as a name or a number.
Text = Union[str, Words]

# Headings, and sentences of the templates.
PHRASES: dict[str, Words] = {
    "made": Words("made", "生成于"),
    "contents": Words("Contents", "目录"),
    "quality": Words("Quality", "质量"),
    "no_truth": Words("There is no truth to compare with.", "没有真值可供比较。"),
    "steps": Words("Steps", "步骤"),
    "observation": Words("Observation", "观测"),
    "method": Words("Method", "方法"),
    "configuration": Words("Configuration", "配置"),
    "versions": Words("Versions", "版本"),
    "scenes": Words("Scenes", "场景"),
    "failed": Words("Failed", "失败"),
    "none_finished": Words("No scene is finished.", "还没有完成的场景。"),
    "report_of": Words("report of", "查看报告："),
    "english_notes": Words("", "以下说明由程序生成，只有英文："),
    "look_closer": Words("Look closer", "逐波段查看"),
    "left": Words("left", "左侧"),
    "right": Words("right", "右侧"),
    "divider": Words("divider", "分界线"),
    "band": Words("band", "波段"),
    "colour": Words("colour", "彩色"),
    "row": Words("row", "行"),
    "column": Words("column", "列"),
    "colours": Words("Colours:", "彩色显示："),
    "how": Words(
        "Move over the picture for the spectrum of a pixel; drag to move the divider. With the keyboard: arrow keys.",
        "鼠标移到图上可查看该像素的光谱，按住拖动可移动分界线；也可用键盘方向键选择像素。",
    ),
    "runs": Words("Runs", "各次运行"),
    "scene_by_scene": Words("Scene by scene", "逐场景比较"),
}

# What stands in front of a verdict's reasons, by its class.
VERDICTS: dict[str, Words] = {
    "good": Words("good", "可以使用"),
    "care": Words("use with care", "谨慎使用"),
    "bad": Words("do not trust this", "不可信"),
}

# The reasons of `trust/reasons.py` as they read in Chinese; what is found in brackets takes its place.
_REASONS: tuple[tuple[str, str], ...] = (
    (
        r"too few LR pixels to tell whether the two images belong together",
        "低分辨率像素太少，无法判断两幅图像是否属于同一场景",
    ),
    (
        r"the two images do not belong together \(correlation (.+)\); are they of one scene, aligned, "
        r"linear \(no gamma\)\?",
        r"两幅图像不像同一场景（相关系数 \1）：请检查是否为同一地点、是否对齐、数值是否线性（未经 gamma 校正）",
    ),
    (
        r"the two images share only (.+) of what the MSI shows: aligned, linear\?",
        r"HSI 只能解释 MSI 内容的 \1：请检查是否对齐、数值是否线性",
    ),
    (r"the images agree \((.+)\)", r"两幅图像相符（\1）"),
    (
        r"blurred again, the result gives back only (.+) of the LR-HSI",
        r"结果再次模糊后只能还原 LR-HSI 的 \1",
    ),
    (r"the result holds values that are no numbers", "结果中含有非数值（NaN 或无穷大）"),
    (
        r"hardly better than interpolation: expected error (.+) \((.+) of the values\), (.+) by interpolation alone",
        r"比单纯插值好不了多少：预期误差 \1（为数值的 \2），单纯插值为 \3",
    ),
    (
        r"expected error (.+) \((.+) of the values\), (.+) by interpolation alone",
        r"预期误差 \1（为数值的 \2），单纯插值为 \3",
    ),
    (
        r"the images do not show the same everywhere: only the MSI is used there",
        "两幅图像的内容有局部不一致，这些位置只采用 MSI",
    ),
    (r"bands of nothing but noise were rebuilt from the others", "只有噪声的波段已由其余波段重建"),
    (
        r"bands? (.+) lies? outside what the MSI sees: extrapolated from the others",
        r"波段 \1 不在 MSI 的覆盖范围内，由其余波段外推得到",
    ),
    (
        r"worse than bicubic against the truth \((.+) dB, bicubic (.+) dB\)",
        r"与真值相比不如双三次插值（\1 dB，双三次插值 \2 dB）",
    ),
)

# What can be found in a pair and undone, by the names that `preparation/` gives it.
_FINDINGS: dict[str, str] = {
    "orientation": "镜像或旋转",
    "shift": "平移",
    "affine": "仿射变换",
    "warp": "形变",
    "grid": "网格",
    "offset": "常数偏移",
    "tone curve": "色调曲线",
    "shading": "明暗渐变",
    "stripes": "条带",
    "saturation": "饱和",
    "light": "阴影",
    "strangers": "不相符的像素",
    "dead HSI pixels": "HSI 坏点",
    "dead MSI pixels": "MSI 坏点",
}
_UNDONE = re.compile(r"found and undone: (.+)")


def verdict_words(verdict: Mapping[str, Any]) -> Words:
    """Return the line of a verdict in both languages.

    Args:
        verdict: As metrics.json holds it: `class`, `line`, `reasons`.
    """
    told = "；".join(reason_in_chinese(str(reason["text"])) for reason in verdict.get("reasons", []))
    return Words(
        en=str(verdict.get("line")),
        zh=f"{verdict_word(verdict).zh}：{told}",
    )


def verdict_word(verdict: Mapping[str, Any]) -> Words:
    """Return the class of a verdict in words; a class that nobody knows stays as it is.

    Args:
        verdict: As metrics.json holds it.
    """
    name = str(verdict.get("class"))
    return VERDICTS.get(name, Words(name, name))


def reason_in_chinese(text: str) -> str:
    """Return a reason in Chinese; one that has no translation stays as it is."""
    undone = _UNDONE.fullmatch(text)
    if undone is not None:
        names = undone[1].split(", ")
        told = [_FINDINGS.get(name, name) for name in names]
        return f"已发现并校正：{'、'.join(told)}"
    for english, chinese in _REASONS:
        match = re.fullmatch(english, text)
        if match is not None:
            return match.expand(chinese)
    return text
