"""Mail: the messages that bring documents to customers."""
