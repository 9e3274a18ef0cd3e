"""Code that others generate from docs/contracts/mailroom.json: each generator's types read records and write them again.

Each generator needs its own tools (Go, Rust, Node with npm, uv) and fetches itself once, into the user's cache.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from broker import user_cache

from .authorities import as_given
from .processes import REPOSITORY

BUNDLE = REPOSITORY / "docs" / "contracts" / "mailroom.json"
QUICKTYPE, TYPIFY = "quicktype@26.0.0", "=0.7.0"
PYTHON = ("datamodel-code-generator==0.89.0", "pydantic", "msgspec==0.22.0")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


# lists of commands that may be left out, and say something else where they are empty (decision 0028)
SAYS_SOMETHING_EMPTY = frozenset({"SetTags.tags", "ResendMessage.recipients"})


@dataclass(frozen=True)
class Line:
    """A record's value as JSON, with its model's name."""

    model: str
    value: str


@dataclass(frozen=True)
class Generator:
    """One generator. `build` makes a program in a folder and gives its command: it reads lines of a model's name, a tab
    and a value, and answers each with a line of JSON, or `!` and what is wrong."""

    name: str
    tools: tuple[str, ...]
    build: Callable[[Path, list[str]], list[str]]
    time_step: timedelta = timedelta(microseconds=1)  # what the language's times can tell apart

    def missing(self) -> str | None:
        """Which tool is not on this machine."""
        lacking = [tool for tool in self.tools if _tool(tool) is None]
        return f"{self.name} needs {', '.join(lacking)}, not found on this machine" if lacking else None

    def write_again(self, folder: Path, lines: list[Line]) -> list[str]:
        """What the generated code makes of each record."""
        folder.mkdir(parents=True, exist_ok=True)
        command = self.build(folder, sorted({line.model for line in lines}))
        given = "".join(f"{line.model}\t{line.value}\n" for line in lines)
        return _run(command, folder, given).split("\n")[: len(lines)]


def differences(before: Any, after: Any, where: str, step: timedelta) -> list[str]:
    """Where a record that was written again is another one: lost, added or changed. Times are compared as moments."""
    if isinstance(before, dict) and isinstance(after, dict):
        found = [f"{where}.{key} lost" for key in before if key not in after]
        found += [f"{where}.{key} added" for key in after if key not in before]
        return found + [
            d for key in before if key in after for d in differences(before[key], after[key], f"{where}.{key}", step)
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [
            d for one, other in zip(before, after, strict=True) for d in differences(one, other, f"{where}[]", step)
        ]
    if before == after and isinstance(before, bool) == isinstance(after, bool):
        return []
    if isinstance(before, str) and isinstance(after, str) and _TIME.fullmatch(before):
        try:
            if abs(datetime.fromisoformat(before) - datetime.fromisoformat(after)) < step:
                return []
        except ValueError:
            pass
    return [f"{where} changed"]


def _tool(name: str) -> str | None:
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


def _run(command: list[str], folder: Path, given: str | None = None) -> str:
    done = subprocess.run(command, cwd=folder, input=given, env=as_given(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr[-3000:]}"
    return done.stdout


def _quicktype(folder: Path, language: str, *more: str) -> None:
    tools = user_cache() / QUICKTYPE.replace("@", "-")
    program = tools / "node_modules" / ".bin" / "quicktype"
    if not program.exists():
        tools.mkdir(parents=True, exist_ok=True)
        _run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(tools), QUICKTYPE], tools)
    _run([str(program), "--src-lang", "schema", "--src", f"{BUNDLE}#/$defs/", "--lang", language, *more], folder)


def _types_by_model(models: Iterable[str], written: Iterable[str]) -> dict[str, str]:
    """What a generator calls a model (SMTPAccount for SmtpAccount)."""
    known = {name.lower(): name for name in written}
    return {model: known[model.lower()] for model in models}


def _go(folder: Path, models: list[str]) -> list[str]:
    _quicktype(folder, "go", "--package", "main", "--out", "records.go")
    types = _types_by_model(models, re.findall(r"^type (\w+) struct", (folder / "records.go").read_text(), re.M))
    cases = "\n".join(f'\tcase "{model}":\n\t\tread = new({name})' for model, name in types.items())
    (folder / "main.go").write_text(_GO % cases)
    (folder / "go.mod").write_text("module records\n\ngo 1.21\n")
    _run(["go", "build", "-o", "again", "."], folder)
    return [str(folder / "again")]


_GO = """package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

func again(model string, text string) (string, error) {
	var read any
	switch model {
%s
	}
	if err := json.Unmarshal([]byte(text), read); err != nil {
		return "", err
	}
	written, err := json.Marshal(read)
	return string(written), err
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for lines.Scan() {
		model, text, _ := strings.Cut(lines.Text(), "\\t")
		if written, err := again(model, text); err != nil {
			fmt.Fprintln(out, "!"+err.Error())
		} else {
			fmt.Fprintln(out, written)
		}
	}
}
"""


def _javascript(folder: Path, models: list[str]) -> list[str]:
    _quicktype(folder, "javascript", "--out", "records.js")
    found = re.findall(r'^\s+"to(\w+)": to\w+,', (folder / "records.js").read_text(), re.M)
    types = _types_by_model(models, found)
    again = {model: [f"to{name}", f"{name[0].lower()}{name[1:]}ToJson"] for model, name in types.items()}
    (folder / "main.js").write_text(_JAVASCRIPT % json.dumps(again))
    return ["node", "main.js"]


_JAVASCRIPT = """const records = require("./records.js");
const names = %s;
const lines = require("fs").readFileSync(0, "utf8").split("\\n").filter((line) => line);
const out = lines.map((line) => {
  const tab = line.indexOf("\\t");
  const [read, write] = names[line.slice(0, tab)];
  try {
    return JSON.stringify(JSON.parse(records[write](records[read](line.slice(tab + 1)))));
  } catch (error) {
    return "!" + String(error.message).split("\\n")[0];
  }
});
process.stdout.write(out.join("\\n") + "\\n");
"""


def _rust(folder: Path, models: list[str]) -> list[str]:
    (folder / "src").mkdir(exist_ok=True)
    (folder / "Cargo.toml").write_text(_CARGO % TYPIFY)
    shutil.copy(BUNDLE, folder / "mailroom.json")
    cases = "\n".join(f'        "{model}" => again::<types::{model}>(text),' for model in models)
    (folder / "src" / "main.rs").write_text(_RUST % cases)
    target = user_cache() / "typify-target"
    _run(["cargo", "build", "--quiet", "--target-dir", str(target)], folder)
    return [str(target / "debug" / "records")]


_CARGO = """[package]
name = "records"
version = "0.0.0"
edition = "2021"
rust-version = "1.85"
resolver = "3"

[dependencies]
typify = "%s"
chrono = { version = "0.4", features = ["serde"] }
regress = "0.10"
serde = { version = "1", features = ["derive"] }
serde_json = "1"

[profile.dev]
debug = false
"""
_RUST = """use std::io::{BufRead, Write};

mod types {
    #![allow(dead_code)]
    typify::import_types!(schema = "mailroom.json");
}

fn again<T: serde::Serialize + serde::de::DeserializeOwned>(text: &str) -> Result<String, serde_json::Error> {
    serde_json::from_str::<T>(text).and_then(|read| serde_json::to_string(&read))
}

fn by_model(model: &str, text: &str) -> Result<String, serde_json::Error> {
    match model {
%s
        _ => panic!("{model}"),
    }
}

fn main() {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let (model, text) = line.split_once('\\t').unwrap();
        let answer = by_model(model, text).unwrap_or_else(|error| format!("!{error}"));
        writeln!(out, "{answer}").unwrap();
    }
}
"""


def _python(folder: Path, kind: str, program: str) -> list[str]:
    uv, venv = _tool("uv"), user_cache() / PYTHON[0].replace("==", "-")
    assert uv is not None
    if not (venv / ".complete").exists():
        _run([uv, "venv", "-q", "--clear", "--python", sys.executable, str(venv)], folder)
        _run([uv, "pip", "install", "-q", "--python", str(venv / "bin" / "python"), *PYTHON], folder)
        (venv / ".complete").touch()
    shutil.copy(BUNDLE, folder / "mailroom.json")
    _run(
        [
            str(venv / "bin" / "datamodel-codegen"), "--input", "mailroom.json", "--input-file-type", "jsonschema",
            "--output", "records.py", "--output-model-type", kind, "--target-python-version", "3.11",
            "--disable-timestamp",
        ],
        folder,
    )  # fmt: skip
    (folder / "main.py").write_text(_PYTHON % program)
    return [str(venv / "bin" / "python"), "main.py"]


_PYTHON = """import sys

import records

%s

for line in sys.stdin:
    model, text = line.rstrip("\\n").split("\\t", 1)
    try:
        print(again(getattr(records, model), text))
    except Exception as error:
        print("!" + str(error).replace("\\n", " "))
"""


def _pydantic(folder: Path, models: list[str]) -> list[str]:
    return _python(
        folder, "pydantic_v2.BaseModel",
        "def again(model, text):\n"
        "    return model.model_validate_json(text).model_dump_json(by_alias=True, exclude_unset=True)",
    )  # fmt: skip


def _msgspec(folder: Path, models: list[str]) -> list[str]:
    return _python(
        folder, "msgspec.Struct",
        "import msgspec\n\n\ndef again(model, text):\n"
        "    return msgspec.json.encode(msgspec.json.decode(text, type=model)).decode()",
    )  # fmt: skip


GENERATORS = (
    Generator("quicktype, Go", ("go", "npm", "node"), _go),
    Generator("quicktype, JavaScript", ("npm", "node"), _javascript, timedelta(milliseconds=1)),
    Generator("typify, Rust", ("cargo",), _rust),
    Generator("datamodel-code-generator, pydantic", ("uv",), _pydantic),
    Generator("datamodel-code-generator, msgspec", ("uv",), _msgspec),
)
