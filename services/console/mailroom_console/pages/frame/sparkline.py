"""The small chart of mail in and out, hour by hour, as SVG without style or script."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

_HEIGHT = 32
_STEP = 5


def sparkline(received: Sequence[int], sent: Sequence[int], label: str) -> Markup:
    """Bars upwards for mail in, downwards for mail out, one pair an hour. `label` says it in words."""
    hours = max(len(received), len(sent), 1)
    top = max([*received, *sent, 1])
    middle = _HEIGHT // 2
    bars = []
    for hour in range(hours):
        for values, up, kind in ((received, True, "in"), (sent, False, "out")):
            value = values[hour] if hour < len(values) else 0
            if value:
                tall = max(1.5, (middle - 2) * value / top)
                y = middle - 0.5 - tall if up else middle + 0.5
                bars.append(
                    Markup('<rect class="{}" x="{}" y="{:.1f}" width="{}" height="{:.1f}" rx="1"/>').format(
                        kind, hour * _STEP, y, _STEP - 1, tall
                    )
                )
    width = hours * _STEP
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect class="base" x="0" y="{}" width="{}" height="1"/>{}</svg>'
    ).format(width, _HEIGHT, label, middle - 0.5, width, Markup("").join(bars))
