"""Reports: from saved evaluations to sentences, tables, heatmaps and one HTML file; never a model."""
