"""A page that a browser asks for: what is shown, the server, who may read, pictures made on demand."""
