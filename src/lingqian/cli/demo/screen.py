"""What the demo shows in a terminal: the groups' talk, the money, and the law that it obeys."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from rich.console import Console, ConsoleOptions, RenderableType
from rich.console import Group as Lines
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from lingqian.cli.demo.api import Event
from lingqian.cli.demo.cast import LIVE_ROOM
from lingqian.ledger.chart import CHART
from lingqian.storage.trial import Trial

LINES_MAX: Final = 60
STREET: Final = "街坊"
_KINDS: Final = {
    "lucky": "拼手气红包",
    "equal": "普通红包",
    "targeted": "专属红包",
    "passphrase": "口令红包",
    "draw": "定时开奖",
}


class Reading(NamedTuple):
    """What the wallet says of itself, read once a second."""

    trial: Trial
    commands: int
    seconds: float


def yuan(fen: int) -> str:
    """Write fen as yuan."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100:,}.{abs(fen) % 100:02d}"


class Tail:
    """The last lines of a talk, as many as there is room for."""

    def __init__(self, lines: Iterable[Text]) -> None:
        self._lines = list(lines)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Yield the lines that fit."""
        del console
        yield from self._lines[-(options.height or LINES_MAX) :]


class Screen:
    """Turns events into lines of talk, and everything into one picture."""

    def __init__(
        self, titles: Mapping[str, str], name: Callable[[str], str], open_at: tuple[str, ...]
    ) -> None:
        self._name = name
        self.open_at = open_at
        self._titles = titles
        self._rooms: dict[str, str] = {}  # packet id → title of its group
        rooms = (*titles.values(), LIVE_ROOM, STREET)
        self._talk = {title: deque[Text](maxlen=LINES_MAX) for title in rooms}
        self._counts: Counter[str] = Counter()
        self._first: Reading | None = None
        self._last: Reading | None = None
        self._rate = 0.0

    def hear(self, event: Event) -> list[str]:
        """Take an event in; return the lines it adds, for a terminal that only prints."""
        teller = _TELLERS.get(event.type)
        if teller is None:
            return []
        self._counts[event.type] += 1
        if event.type == "packet.sent":
            room = str(event.data.get("conversation_id") or "")
            self._rooms[event.data["packet_id"]] = self._titles.get(room, STREET)
        title = LIVE_ROOM if event.type.startswith(_LIVE) else self._room_of(event)
        line = teller(event.data, self._name)
        self._talk[title].append(line)
        return [f"{title}  {line.plain}"]

    def _room_of(self, event: Event) -> str:
        return self._rooms.get(event.data.get("packet_id", ""), STREET)

    def read(self, reading: Reading) -> None:
        """Take in what the wallet says of itself."""
        last = self._last
        if last is None:
            self._first = reading
        elif reading.seconds > last.seconds:
            rate = (reading.commands - last.commands) / (reading.seconds - last.seconds)
            # A slow average: single batches would make the figure flicker.
            self._rate += (rate - self._rate) / 4
        self._last = reading

    def law(self) -> str:
        """Say what is owed, what backs it, and whether they agree."""
        if self._last is None:
            return ""
        trial = self._last.trial
        sign = "=" if trial.owed_fen == trial.backed_fen else "≠  THE LEDGER IS WRONG"
        return f"owed to people {yuan(trial.owed_fen)} {sign} at the bank {yuan(trial.backed_fen)}"

    def is_lawful(self) -> bool:
        """Whether the last reading obeyed the law."""
        return self._last is None or self._last.trial.owed_fen == self._last.trial.backed_fen

    def picture(self) -> RenderableType:
        """Draw everything."""
        layout = Layout()
        layout.split_column(
            Layout(self._door(), size=2 + len(self.open_at)),
            Layout(name="world"),
            Layout(self._money(), size=9),
        )
        rooms = [Layout(self._room(title)) for title in self._talk if title != STREET]
        left, right = Layout(), Layout()
        left.split_column(*rooms[::2])
        right.split_column(*rooms[1::2])
        layout["world"].split_row(left, right)
        return layout

    def _door(self) -> Panel:
        lines = [Text(line, overflow="ellipsis", no_wrap=True) for line in self.open_at]
        return Panel(Lines(*lines), title="Lingqian 零钱 · demo", border_style="red")

    def _room(self, title: str) -> Panel:
        return Panel(Tail(self._talk[title]), title=title, border_style="dim", title_align="left")

    def _money(self) -> Panel:
        table = Table.grid(padding=(0, 3))
        last = self._last
        if last is not None:
            for book, fen in sorted(last.trial.books.items()):
                row = CHART[book]
                table.add_row(f"{row.zh} {row.name}", Text(yuan(fen), justify="right"))
        counts = ", ".join(f"{name} {count}" for name, count in self._counts.most_common(6))
        style = "bold green" if self.is_lawful() else "bold white on red"
        return Panel(
            Lines(
                table,
                Text(self.law(), style=style),
                Text(f"{self._rate:.1f} commands a second · {counts}", style="dim"),
                *list(self._talk[STREET])[-1:],
            ),
            title="money 资金",
            title_align="left",
            border_style="dim",
        )


Teller = Callable[[Mapping[str, Any], Callable[[str], str]], Text]


def _sent(data: Mapping[str, Any], name: Callable[[str], str]) -> Text:
    kind = _KINDS.get(str(data.get("kind")), "红包")
    shares = "1 share" if data["count"] == 1 else f"{data['count']} shares"
    text = Text(name(data["sender_id"]), style="bold")
    return text.append(f" sends a {kind} of {shares}", style="red")


def _claimed(data: Mapping[str, Any], name: Callable[[str], str]) -> Text:
    text = Text("  " + name(data["user_id"]))
    return text.append(f" opens {yuan(data['amount_fen'])}", style="yellow")


def _entered(data: Mapping[str, Any], name: Callable[[str], str]) -> Text:
    return Text("  " + name(data["user_id"])).append(" enters the draw", style="yellow")


def _finished(data: Mapping[str, Any], name: Callable[[str], str]) -> Text:
    best = data.get("best")
    crown = f", best luck {name(best['user_id'])} {yuan(best['amount_fen'])}" if best else ""
    return Text(f"  all opened{crown}; the proof is out", style="green")


def _expired(data: Mapping[str, Any], name: Callable[[str], str]) -> Text:
    back = yuan(data["returned_fen"])
    return Text(f"  time is up: {back} goes back to {name(data['sender_id'])}", style="cyan")


def _drawn(data: Mapping[str, Any], name: Callable[[str], str]) -> Text:
    del name
    return Text(f"  drawn: {len(data['winners'])} people win", style="green")


def _transferred(data: Mapping[str, Any], name: Callable[[str], str]) -> Text:
    text = Text(name(data["source_id"]))
    return text.append(f" pays {name(data['target_id'])} {yuan(data['amount_fen'])}", style="blue")


def _credited(data: Mapping[str, Any], name: Callable[[str], str]) -> Text:
    coins = int(data["coins"]) + int(data["bonus_coins"])
    goods = f"{coins} coins" if coins else "money in the balance"
    text = Text(name(data["user_id"]), style="bold")
    return text.append(f" tops up {yuan(data['amount_fen'])}: {goods}", style="green")


def _gifted(data: Mapping[str, Any], name: Callable[[str], str]) -> Text:
    text = Text("  " + name(data["user_id"]))
    words = f" gives {name(data['streamer_id'])} {data['code']} for {data['coins']} coins"
    return text.append(words, style="magenta")


_LIVE: Final = ("topup.", "gift.")
_TELLERS: Final[dict[str, Teller]] = {
    "topup.credited": _credited,
    "gift.sent": _gifted,
    "packet.sent": _sent,
    "packet.claimed": _claimed,
    "packet.entered": _entered,
    "packet.finished": _finished,
    "packet.expired": _expired,
    "packet.drawn": _drawn,
    "transfer.done": _transferred,
}
