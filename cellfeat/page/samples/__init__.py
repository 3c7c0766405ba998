"""What a page holds of each sample: columns, predictions, places on the map, neighbours, pictures."""
