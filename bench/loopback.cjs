// Preloaded into Node peers that listen on every interface: a benchmark stays on this machine.
const { Server } = require("node:net");

const listen = Server.prototype.listen;

Server.prototype.listen = function (where, ...rest) {
  if (typeof where === "number") {
    const done = rest.find((argument) => typeof argument === "function");
    return listen.call(this, { port: where, host: "127.0.0.1" }, done);
  }
  if (where && typeof where === "object" && where.port !== undefined) {
    return listen.call(this, { ...where, host: "127.0.0.1" }, ...rest);
  }
  return listen.call(this, where, ...rest);
};
