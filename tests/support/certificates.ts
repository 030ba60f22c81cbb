// A throw-away authority and what it signs, made by openssl for one test.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Pair {
  cert: string;
  key: string;
}

export interface Authority extends Pair {
  /** Signs a certificate for `name`, valid `days` from now; negative days have passed already. */
  sign(name: string, options?: { days?: number; address?: string }): Pair;
}

/** Makes an authority whose files, and those of all it signs, lie in `folder` under `name`. */
export function makeAuthority(folder: string, name: string): Authority {
  const path = (file: string) => join(folder, `${name}-${file}`);
  const openssl = (...args: string[]) =>
    execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const own = { cert: path("ca.crt"), key: path("ca.key") };
  openssl(
    "req",
    "-x509",
    ...curve,
    "-keyout",
    own.key,
    "-out",
    own.cert,
    "-days",
    "2",
    "-subj",
    `/CN=${name}`,
  );
  return {
    ...own,
    sign(subject, { days = 2, address = "127.0.0.1" } = {}) {
      const [key, request, cert, extensions] = ["key", "csr", "crt", "ext"].map((end) =>
        path(`${subject}.${end}`),
      );
      openssl(
        "req",
        ...curve,
        "-keyout",
        key as string,
        "-out",
        request as string,
        "-subj",
        `/CN=${subject}`,
      );
      writeFileSync(extensions as string, `subjectAltName=IP:${address}\n`);
      const by = ["-CA", own.cert, "-CAkey", own.key, "-CAcreateserial"];
      const to = ["-in", request as string, "-out", cert as string, "-extfile", extensions as string];
      openssl("x509", "-req", ...to, ...by, "-days", String(days));
      return { cert: cert as string, key: key as string };
    },
  };
}
