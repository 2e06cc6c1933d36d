"""A log is told as if it happened now."""

from pathlib import Path

from streamrec.events import JobView
from streamrec.local.sources import replayed
from streamrec.training.replay import Replay

NOW = 1_750_000_000_000


def test_a_log_is_stamped_with_the_present_and_its_bad_rows_are_told(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    rows = ["ts,user_id,item_id,event", "1400000000,u1,i1,view", *["soon,u1,i1,view"] * 5, "1400000100,u2,i1,apply"]
    log.write_text("\n".join(rows) + "\n")
    said: list[str] = []
    records = list(replayed(Replay(log), said.append, clock_ms=lambda: NOW))
    assert [(record.topic, record.key, record.at) for record in records] == [
        ("job-views", "u1", 1_400_000_000_000), ("job-applications", "u2", 1_400_000_100_000),
    ]  # fmt: skip
    assert isinstance(records[0].event, JobView)
    assert records[0].event.occurred_at == NOW
    assert len(said) == 4
    assert "log.csv:3" in said[0]
    assert said[3] == "5 rows could not be read, of which the first 3 were shown"
