// Text for people, on the device's log.
import { hostLog } from "./host";

export namespace log {
  export function error(text: string): void {
    hostLog(0, changetype<usize>(text), text.length);
  }

  export function warning(text: string): void {
    hostLog(1, changetype<usize>(text), text.length);
  }

  export function info(text: string): void {
    hostLog(2, changetype<usize>(text), text.length);
  }

  export function debug(text: string): void {
    hostLog(3, changetype<usize>(text), text.length);
  }
}
