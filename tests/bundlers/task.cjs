// A task of Piscina: the length of a text's vector.
'use strict';

const { Embedder } = require('thimble');

const opened = Embedder.create(process.env.THIMBLE_MODEL);

module.exports = async (text) => (await (await opened).embed(text)).length;
