"""The vision-language model: dense text-aligned image features and text embeddings of any open_clip model."""
