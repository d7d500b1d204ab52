"""What sqlfluff puts in place of the project's dbt macros: a call of a function with the macro's name.

The linter is for the models as they are written; expanding `round_money` into its thousand characters would
only make it slow. A macro without arguments stands for a type, some columns or a query: its text is put in.
Belongs here: nothing else.
"""

import re
from collections.abc import Callable
from pathlib import Path

_MACROS = Path(__file__).resolve().parents[2] / "dbt_project" / "macros"
_MACRO = re.compile(r"{%-?\s*macro\s+(\w+)\(([^)]*)\)\s*-?%}(.*?){%-?\s*endmacro", re.DOTALL)


def _call_of(name: str) -> Callable[..., str]:
    return lambda *arguments, **named: f"{name}({', '.join(map(str, (*arguments, *named.values())))})"


def _text_of(body: str) -> Callable[[], str]:
    text = re.sub(r"{%.*?%}", "", re.sub(r"{{.*?}}", "relation", body), flags=re.DOTALL).strip()
    return lambda: text


for _file in sorted(_MACROS.rglob("*.sql")):
    for _name, _arguments, _body in _MACRO.findall(_file.read_text(encoding="utf-8")):
        _takes_arguments = _arguments.strip() or "varargs" in _body
        globals()[_name] = _call_of(_name) if _takes_arguments else _text_of(_body)
