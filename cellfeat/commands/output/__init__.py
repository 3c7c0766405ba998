"""What commands write for people: tables, progress, remarks, the page, and which command comes next."""
