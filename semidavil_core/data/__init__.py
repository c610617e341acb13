"""Images, labels and domains: from files and arrays of any kind to what the model sees."""
