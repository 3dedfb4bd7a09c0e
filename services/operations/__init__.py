"""The life of an operation in the records: accepted, planned under the fence, settled step by step, finished."""
