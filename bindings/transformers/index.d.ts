// @thimble/transformers for require.
export * from 'thimble/transformers';
