"""The book: a file for each chapter's subject, a function for each section, in its order."""
