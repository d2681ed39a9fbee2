// Runs the npm package foundation-stratum as a pool for a private chain. pool.py starts it.
//
// in:  one JSON object on stdin's first line: node {port, username, password}, coin {name, symbol, segwit, mweb, bech32,
//      scriptHash}, address, algorithm, difficulty, username, password, tls (the files certificates/key.pem and cert.pem are used), and optionally vardiff {minimum, maximum,
//      targetTime, retargetTime, variance}. It runs until stdin ends.
// out: one JSON object a line: {event: "listening", port}, {event: "authorize", …}, {event: "share", …},
//      {event: "log", severity, text}
'use strict';

const fs = require('fs');
const net = require('net');

const say = (event) => fs.writeSync(1, JSON.stringify(event) + '\n');

function start(config) {
  const port = {
    port: 0,
    enabled: true,
    tls: config.tls,
    difficulty: { initial: config.difficulty },
  };

  // The package listens on all interfaces and is told a port beforehand. Here it gets loopback and whatever is free, and
  // looks the number up in its configuration again for each client.
  const listen = net.Server.prototype.listen;
  net.Server.prototype.listen = function (_, callback) {
    return listen.call(this, { port: 0, host: '127.0.0.1', exclusive: true }, () => {
      port.port = this.address().port;
      callback();
    });
  };

  // Address formats off the main chain. The package calls every chain "mainnet" that is not named "test".
  const { name, symbol, segwit, mweb, bech32, scriptHash } = config.coin;
  const network = {
    bech32: bech32,
    bip32: { public: 0x043587cf, private: 0x04358394 },
    pubKeyHash: 0x6f,
    scriptHash: scriptHash,
    wif: 0xef,
    coin: symbol.toLowerCase(),
  };

  const poolConfig = {
    name: 'tests',
    coins: [name],
    debug: true,
    // Never reached: a test decides itself how many bad shares are too many.
    banning: { time: 600, invalidPercent: 1, checkThreshold: 1e12, purgeInterval: 600 },
    ports: [port],
    p2p: { enabled: false },
    settings: { blockRefreshInterval: 200, connectionTimeout: 600, jobRebroadcastTimeout: 2, tcpProxyProtocol: false },
    primary: {
      address: config.address,
      coin: {
        name: name,
        symbol: symbol,
        getinfo: false,
        segwit: segwit,
        mweb: mweb,
        version: 1,
        asicboost: true,  // BIP 310, for whoever asks
        rewards: {},
        algorithms: { mining: config.algorithm, block: 'sha256d', coinbase: 'sha256d' },
        mainnet: network,
        testnet: network,
      },
      daemons: [{ host: '127.0.0.1', ...config.node }],
      recipients: [],
    },
  };

  const authorize = (ip, _, user, auxiliary, password, answer) => {
    const authorized = user === config.username && password === config.password;
    say({ event: 'authorize', user, authorized });
    answer({ error: null, authorized, disconnect: false });
  };

  const pool = require('foundation-stratum').create(poolConfig, { identifier: '', tls: { key: 'key.pem', cert: 'cert.pem' } }, authorize, () => {});

  pool.on('log', (severity, text) => say({ event: 'log', severity, text }));
  pool.on('share', (share, kind, isBlock) => say({
    event: 'share', kind, block: isBlock === true, job: share.job, user: share.addrPrimary, hash: share.hash || '',
    height: share.height || 0, difficulty: share.difficulty, error: share.error || '',
  }));
  pool.on('started', () => {
    if (config.vardiff) {
      port.difficulty = { ...config.vardiff, initial: config.difficulty };
      pool.setDifficulty(port);
    }
    say({ event: 'listening', port: port.port });
  });
  pool.setupPool();
}

require('readline').createInterface({ input: process.stdin })
  .once('line', (line) => start(JSON.parse(line)))
  .on('close', () => process.exit(0));
