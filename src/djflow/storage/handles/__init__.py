"""What users hold of objects in stores: lazy handles, which read when they are asked to."""

from djflow.storage.handles.frame_ref import FrameRef
from djflow.storage.handles.object_ref import ObjectRef

__all__ = ["FrameRef", "ObjectRef"]
