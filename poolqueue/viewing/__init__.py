"""What a person is shown of the queue, as values and in words; `poolctl` and the page show the same."""
