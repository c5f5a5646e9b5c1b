"""The rules of the resources that have some; whoever has none needs no file here."""
