// Stands in for the package of this name, whose C++ does not build with current compilers. The pool needs only these
// two of its hashes, and node has both, so that here too nothing checks our hashes but somebody else's code.
'use strict';

const crypto = require('crypto');

const sha256 = (data) => crypto.createHash('sha256').update(data).digest();

exports.sha256d = (data) => sha256(sha256(data));

exports.scrypt = (data, n, r) =>
  crypto.scryptSync(data, data, 32, { N: n, r: r, p: 1, maxmem: 256 * n * r + (1 << 20) });
