"""What is promised of the quality of each dtype."""

# What is promised of all-MiniLM-L6-v2: most file bytes; least mean, first percentile and least cosine of short texts,
# and mean of long ones; most change of Spearman.
LIMITS = {
    "fp16": {"file_bytes": 45.5e6, "mean": .999999, "p1": .999999, "min": .999999, "long": .999999, "spearman": .01},
    "q8": {"file_bytes": 23.2e6, "mean": .9997, "p1": .9990, "min": .9980, "long": .9995, "spearman": .05},
    "q6": {"file_bytes": 18.3e6, "mean": .999, "p1": .996, "min": .990, "long": .998, "spearman": .1},
    "q4": {"file_bytes": 16.4e6, "mean": .994, "p1": .970, "min": .94, "long": .987, "spearman": .2},
    "q4-small": {"file_bytes": 13.1e6, "mean": .992, "p1": .967, "min": .94, "long": .985, "spearman": .2},
}
MODEL = "all-MiniLM-L6-v2"


def beyond(row):
    """What of a row of thimble's is beyond its limit; written so that a NaN is."""
    limit = LIMITS.get(row["dtype"]) if row["model"] == MODEL and row["engine"] == "thimble" else None
    if limit is None:
        return []
    least = {**row["short"], "long": row["long"]["mean"]}
    messages = [f"{name} {value:.6f}, expected at least {limit[name]}" for name, value in least.items()
                if not value >= limit[name]]
    if not row["file_bytes"] <= limit["file_bytes"]:
        messages.append(f"{row['file_bytes']} file bytes, expected at most {limit['file_bytes']:.0f}")
    if not abs(row["spearman_change"]) <= limit["spearman"]:
        messages.append(f"Spearman {row['spearman_change']:+.3f}, expected within {limit['spearman']}")
    return messages
