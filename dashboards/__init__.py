"""The pages people look at: Streamlit apps over the published serving file, and nothing else.

Belongs here: reading the public marts and showing them. Does not belong here: any rule about amounts (SQL),
the warehouse file (no page opens it), landing and delivering.
"""
