"""Who may: who asks, what each may do with which rows, and which fields each sees."""
