"""What a person is shown: safe HTML and its styles, and the text of HTML."""
