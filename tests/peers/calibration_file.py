"""Reads the statistics that `espalier-cli calibrate` writes."""
import json
import struct


def rows_of_file(path, name, layers):
    """`<name>.<layer>` of a statistics file, a list of floats for each layer."""
    data = path.read_bytes()
    size, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    rows = []
    for layer in range(layers):
        entry = header[f"{name}.{layer}"]
        begin, end = entry["data_offsets"]
        code = {"F64": "d", "I64": "q"}[entry["dtype"]]
        rows.append(struct.unpack(f"<{(end - begin) // 8}{code}", data[8 + size + begin:8 + size + end]))
    return rows
