// @thimble/transformers for import.
export * from 'thimble/transformers';
