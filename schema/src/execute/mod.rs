//! Plan to answer: level by level, in batches, JSON straight into the buffer.
