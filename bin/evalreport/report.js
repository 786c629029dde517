// report.js: plays the videos of a prompt in step, and shows how they differ.
//
// The first video is the clock. A frame is shown by seeking to its middle, so rounding cannot reach
// a neighbour. The difference is drawn from what the videos show at this moment, and only when both
// show the same frame: playing, one may be presented a little before the other.
'use strict';
document.querySelectorAll('.films').forEach(films => {
    const videos = [...films.querySelectorAll('video')];
    if (!videos.length) return;
    const clock = videos[0], frames = Math.max(1, Number(films.dataset.frames));
    const curves = [...films.parentNode.querySelectorAll('.frames')].map(head);
    const names = videos.map(v => v.nextElementSibling.textContent);
    const shown = new Map();        // video -> seconds of the frame that it shows
    let frame = 0, playing = false, broken = false;

    const rate = () => frames / clock.duration;
    const middle = k => (k + 0.5) / rate();
    const frameOf = v =>
        Math.floor((shown.has(v) ? shown.get(v) + 0.01 / rate() : v.currentTime) * rate());

    // ---- what stands beside and below the videos ----

    function add(parent, tag, set = {}, text = '') {
        const element = parent.appendChild(document.createElement(tag));
        for (const key in set) element.setAttribute(key, set[key]);
        element.textContent = text;
        return element;
    }
    const differences = videos.slice(1).map((video, i) => {
        // of two, beside them; of more, each below its own
        const figure = add(videos.length > 2 ? video.parentNode : films, 'figure', {class: 'film'});
        const canvas = add(figure, 'canvas', {role: 'img',
            'aria-label': `difference of ${names[0]} and ${names[i + 1]}, amplified`});
        const caption = add(figure, 'figcaption');
        return {video, canvas, caption, name: names[i + 1]};
    });
    const player = document.createElement('div');
    films.after(player);
    player.className = 'player';
    player.setAttribute('role', 'group');
    player.setAttribute('aria-label', 'play ' + names.join(', ') + ' in step');
    const play = add(player, 'button', {type: 'button'}, 'Play');
    const back = add(player, 'button', {type: 'button', 'aria-label': 'one frame back'},
        '\u2212 1');
    const on = add(player, 'button', {type: 'button', 'aria-label': 'one frame on'}, '+ 1');
    const slider = add(player, 'input', {type: 'range', min: 0, max: frames - 1, step: 1, value: 0,
        'aria-label': 'frame'});
    const place = add(player, 'output');
    let gain = null;
    if (differences.length) {
        const label = add(player, 'label', {}, 'Difference ');
        gain = add(label, 'select');
        for (const times of [1, 2, 4, 8, 16, 32])
            add(gain, 'option', {value: times}, `\u00d7 ${times}`);
        gain.value = 8;
        gain.onchange = amplify;
    }
    function amplify() {
        for (const d of differences) {
            d.canvas.style.filter = `brightness(${gain.value})`;
            d.caption.textContent = `|${d.name} \u2212 ${names[0]}| \u00d7 ${gain.value}`;
        }
    }

    // A line through a curve at the frame that is shown.
    function head(group) {
        const at = group.dataset, line = document.createElementNS(group.namespaceURI, 'line');
        line.setAttribute('class', 'head');
        line.setAttribute('y1', at.top);
        line.setAttribute('y2', at.bottom);
        group.append(line);
        return k => {
            const x = Number(at.left) + k / Math.max(1, at.last) * (at.right - at.left);
            line.setAttribute('x1', x);
            line.setAttribute('x2', x);
        };
    }

    // ---- showing ----

    function report() {
        slider.value = frame;
        slider.setAttribute('aria-valuetext', `frame ${frame}`);
        place.value = broken ? 'cannot be played here' : `frame ${frame} of 0\u2013${frames - 1}`;
        curves.forEach(move => move(frame));
    }
    function draw() {
        for (const {video, canvas} of differences) {
            if (clock.readyState < 2 || video.readyState < 2 || frameOf(clock) !== frameOf(video))
                continue;
            if (canvas.width !== clock.videoWidth) canvas.width = clock.videoWidth;
            if (canvas.height !== clock.videoHeight) canvas.height = clock.videoHeight;
            const pen = canvas.getContext('2d');
            pen.globalCompositeOperation = 'copy';
            pen.drawImage(clock, 0, 0, canvas.width, canvas.height);
            pen.globalCompositeOperation = 'difference';
            pen.drawImage(video, 0, 0, canvas.width, canvas.height);
        }
    }
    for (const v of videos) {
        v.controls = v.loop = false;
        v.addEventListener('error', () => { broken = true; report(); });
        v.addEventListener('seeked', draw);
        v.addEventListener('loadeddata', draw);
        if (v.requestVideoFrameCallback) {
            const seen = (now, data) => {
                shown.set(v, data.mediaTime);
                draw();
                v.requestVideoFrameCallback(seen);
            };
            v.requestVideoFrameCallback(seen);
        }
    }
    const seeks = (v, seconds) => new Promise(done => {
        v.addEventListener('seeked', done, {once: true});
        v.currentTime = seconds;
    });
    async function show(k) {
        stop();
        frame = Math.min(frames - 1, Math.max(0, k));
        report();
        if (clock.duration) await Promise.all(videos.map(v => seeks(v, middle(frame))));
    }

    // ---- playing ----

    async function start() {
        if (broken || frames < 2) return;
        playing = true;
        play.textContent = 'Pause';
        const from = frame >= frames - 1 ? 0 : frame;
        await Promise.all(videos.map(v => seeks(v, middle(from))));
        if (!playing) return;
        await Promise.all(videos.map(v => v.play())).catch(() => stop());
        follow();
    }
    function stop() {
        playing = false;
        play.textContent = 'Play';
        videos.forEach(v => v.pause());
    }
    function follow() {
        if (!playing) return;
        if (clock.ended) {
            frame = 0;
            start();
            return;
        }
        for (const v of videos.slice(1))
            if (!v.seeking && !v.ended
                && Math.abs(v.currentTime - clock.currentTime) * rate() > 0.75)
                v.currentTime = clock.currentTime;
        frame = Math.min(frames - 1, Math.floor(clock.currentTime * rate()));
        report();
        draw();
        requestAnimationFrame(follow);
    }
    const toggle = () => playing ? (stop(), show(frame)) : start();

    play.onclick = toggle;
    back.onclick = () => show(frame - 1);
    on.onclick = () => show(frame + 1);
    slider.oninput = () => show(Number(slider.value));
    videos.forEach(v => { v.onclick = toggle; });
    films.tabIndex = 0;
    films.setAttribute('role', 'group');
    films.setAttribute('aria-label', 'videos: ' + names.join(', '));
    films.parentNode.addEventListener('keydown', event => {
        const key = event.key, onButton = event.target.closest('button, select');
        const onSlider = event.target === slider;
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (key === ',') show(frame - 1);
        else if (key === '.') show(frame + 1);
        else if (key === ' ' && !onButton) toggle();
        else if (key === 'Home' && !onSlider && !onButton) show(0);
        else if (key === 'End' && !onSlider && !onButton) show(frames - 1);
        else return;
        event.preventDefault();
    });
    if (gain) amplify();
    report();
    draw();
});

// Tables are stops of the keyboard where they scroll.
const scrolls = new ResizeObserver(tables => tables.forEach(({target}) => {
    target.tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
}));
document.querySelectorAll('.table').forEach(table => scrolls.observe(table));
