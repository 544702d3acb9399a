"""What djflow costs, each figure beside a named peer measured in the same run on the same server."""
