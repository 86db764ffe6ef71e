// thimble/transformers as a package of its own, which an npm override or alias can name.
'use strict';

module.exports = require('thimble/transformers');
