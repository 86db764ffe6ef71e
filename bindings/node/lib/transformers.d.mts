export * from './transformers.js';
