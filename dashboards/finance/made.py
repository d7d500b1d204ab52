"""How what a page shows was made: the page's own query, the SQL of the marts it reads, and what they stand on up to the facts.

Belongs here: showing it. Does not belong here: what a model does, and keeping the SQL (`ratehouse.lineage`).
"""

from __future__ import annotations

import streamlit as st

from dashboards import data
from ratehouse import lineage


def behind(*marts: str, query: str | None = None, key: str) -> None:
    """An expander with the SQL behind what stands above it.

    Args:
        marts: the marts that were read, the most important first.
        query: the query of the page, a name of `queries/`.
        key: identity on the page.
    """
    with st.expander("How these numbers are made", icon=":material/code:"):
        try:
            models = data.remembered(("models",), lineage.published)
        except lineage.NotMade as error:
            st.caption(error.message)
            return
        if query is not None:
            st.caption(
                f"The page asks (dashboards/queries/{query}.sql, with this tenant and what is chosen above):"
            )
            st.code(data.text_of(query), language="sql")
        ancestry: dict[str, int] = {}
        for mart in marts:
            for steps, model in lineage.ancestry(models, f"marts.{mart}"):
                ancestry[model.relation] = min(steps, ancestry.get(model.relation, steps))
        names = sorted(
            ancestry, key=lambda name: (ancestry[name], name.removeprefix("marts.") not in marts, name)
        )
        chosen = str(
            st.selectbox(
                f"Relation: {', '.join(marts)} and the {len(names) - len(marts)} that it stands on, the nearest first",
                names,
                format_func=lambda name: "\N{MIDDLE DOT} " * ancestry[name] + name,
                key=f"{key}_made",
            )
        )
        model = models[chosen]
        st.markdown(f"**{chosen}** {model.path and f'({model.path})'}")
        st.caption(model.description)
        if model.parents:
            st.markdown("Reads " + ", ".join(f"`{parent}`" for parent in model.parents))
        if model.sql:
            st.code(model.sql, language="sql")
        elif model.kind == "source":
            st.caption("Facts as they landed, or documents as they were issued: nothing computes them.")
        st.download_button(
            "All of this SQL",
            lambda: _script([models[name] for name in reversed(names)]),
            f"{marts[0]}.sql",
            "text/plain",
            icon=":material/download:",
            on_click="ignore",
            type="tertiary",
            key=f"{key}_made_download",
        )


def _script(models: list[lineage.Model]) -> str:
    parts = [
        f"-- {model.relation} ({model.path or model.kind})\n-- {model.description}\n{model.sql}".strip()
        for model in models
    ]
    return "\n\n".join(parts) + "\n"
