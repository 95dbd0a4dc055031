"""A client whose files lie elsewhere, are others, or are missing."""

from __future__ import annotations

import shutil
from pathlib import Path

from support.dap import Start
from support.jobs import job
from support.markers import line, program

PLAIN = Path(program("attached_plain.py"))
TURN = line(str(PLAIN), "turn")


def test_paths_are_mapped_and_what_differs_is_shown_as_the_program_has_it(
    tmp_path: Path, start: Start
) -> None:
    here, there = tmp_path / "here" / PLAIN.name, tmp_path / "there" / PLAIN.name
    here.parent.mkdir()
    there.parent.mkdir()
    shutil.copy(PLAIN, there)
    mappings = [{"localRoot": str(here.parent), "remoteRoot": str(there.parent)}]
    with job("--listen", str(there)) as running:
        assert running.read() == "ready"
        session = start("attach", options=[str(running.pid)], timeout=60)
        session.attach(pathMappings=mappings, breakpoints={str(here): [TURN]})
        assert session.breakpoints[str(here)][0]["message"].startswith("line:")
        session.wait_for_stop("breakpoint")
        source = session.frame()["source"]
        assert source["path"] == str(here) and source["sourceReference"] > 0, "there is none here"
        wanted = {"source": source, "sourceReference": source["sourceReference"]}
        assert session.request("source", **wanted)["content"] == there.read_text()
        here.write_text(there.read_text() + "# changed\n")
        assert session.frame()["source"]["sourceReference"] == source["sourceReference"], "another"
        shutil.copy(there, here)
        session.cont()
        session.wait_for_stop("breakpoint")
        assert not session.frame()["source"].get("sourceReference"), "it is the same"
        nowhere = {"source": {"path": str(tmp_path / "nowhere.py")}, "sourceReference": 0}
        assert "where the program runs" in session.refused("source", **nowhere)
        session.request("disconnect", terminateDebuggee=False)
        session.close()
