//! Idioms of honest packages, as they stand in real ones: none of them leads to a finding by itself.

use super::scan;

#[test]
fn idioms_of_honest_packages_lead_to_no_finding() {
    for (path, content) in [
        (
            "umd.js",
            "(function (root, factory) { typeof exports === 'object' ? module.exports = factory() : root.X = factory() }(this, function () {}))",
        ),
        ("global.js", "var g = Function('return this')() || (42, eval)('this');"),
        ("polyfill.js", "if (!globalThis.fetch) { globalThis.fetch = require('node-fetch') }"),
        ("template.js", "var f = new Function(names, 'return ' + source); eval('require')('x');"),
        (
            "babel.js",
            "var _interopRequireDefault = require('@babel/runtime/helpers/interopRequireDefault'); global.regeneratorRuntime = r;",
        ),
        ("webpack.js", "eval(\"__webpack_require__.r(__webpack_exports__);\\n//# sourceURL=webpack://x/./a.js\");"),
        ("worker.js", "const url = URL.createObjectURL(new Blob([atob(inlined)])); new Worker(url)"),
        ("wasm.js", "const bytes = Uint8Array.from(atob('AGFzbQEAAAA='), c => c.charCodeAt(0)); WebAssembly.instantiate(bytes)"),
        ("escape.js", "var pattern = /[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff]/g"),
        ("debug.js", "process.env.DEBUG && console.log(JSON.stringify(process.env.DEBUG))"),
        ("define.js", "plugins: [new webpack.DefinePlugin({ 'process.env': JSON.stringify(process.env) })]"),
        ("ps.js", "fs.readFileSync('/proc/' + pid + '/stat'); fs.readFileSync('/proc/meminfo')"),
        ("clean.js", "execSync('rm -rf node_modules dist ~/.cache/tool'); rimraf.sync(path.join(os.homedir(), '.tool'))"),
        ("rc.js", "const rc = path.join(os.homedir(), '.npmrc'); const token = process.env.NPM_TOKEN"),
        ("emoji.js", "module.exports = ['❤️', '👨‍👩‍👧‍👦', '🏴󠁧󠁢󠁥󠁮󠁧󠁿', '☀️☁️☂️☃️']"),
        ("hash.js", "const _0x = 1; var K = [0x428a2f98, 0x71374491, 0xb5c0fbcf]; let _0xK = K"),
        ("cron.js", "// Like a crontab line: '* * * * *'\nnew CronJob('0 * * * * *', tick)"),
        ("suffixes.js", "module.exports = ['ngrok.io', 'webhook.site', 'pagekite.me', 'file.io', 'github.io']"),
        ("spawn.js", "const child = spawn(command, args, { stdio: 'inherit', env: { ...process.env, FORCE_COLOR: '1' } })"),
        ("gyp.js", "if (!pkg.scripts.install && hasGyp) pkg.scripts.install = 'node-gyp rebuild'; delete pkg.scripts.preinstall"),
        ("table.js", &format!("const rule = '{}'; print(rule)", " ".repeat(600))),
        ("completion.js", "const text = `{{app}} completion >> ~/.bashrc`"),
        ("package.json", r#"{"scripts":{"prepublishOnly":"npm test","release":"npm publish","clean":"rm -rf lib"}}"#),
        ("lodash.min.js", ";(function(){function n(n,t,r){switch(r.length){case 0:return n.call(t)}return n.apply(t,r)}}).call(this);"),
    ] {
        let seen = scan(&[(path, content.as_bytes())]);
        let alone: Vec<_> = seen.signals.iter().filter(|signal| signal.kind.finding().is_some()).collect();
        assert!(alone.is_empty(), "{path}: {alone:?}");
    }
}
