"""prototype"""
import numpy as np
import xarray as xr
from slstr_cloudmask.detectors.background import local_spread
from slstr_cloudmask.detectors.clear_sky import ROUGH_KELVIN, Background, Ground, first_guess, refined
from slstr_cloudmask.detectors.climatology import usual_difference_kelvin, usual_split_kelvin
from slstr_cloudmask.detectors.evidence import CHAINS, JOINT, evidence, place_index
from slstr_cloudmask.detectors.features import Clear, reflected_features, thermal_features
from slstr_cloudmask.detectors.thresholds import View
from slstr_cloudmask.flags import UNKNOWN, decode_flag
from slstr_cloudmask.mask import build_mask
from slstr_cloudmask.scene import Regime, bands_present, regime, usable_bands
from scipy import ndimage

P = dict(ctx=0.0, box=5, lim=4, resplit=True, rediff=True, texture=0.3, passes=2, pc=.65, pv=.35, bare=([-2.3, -0.9, -1.6],[.6, .7, .9]), veil=([-1.7,-.8,-1.2],[.9,.8,1]), cloud=([-.9,-.5,-.7],[1.1,1.0,1.1]))

def lights(scene, reg):
    out = np.full(reg.shape, 255, np.uint8)
    sza = scene['solar_zenith_angle'].values if 'solar_zenith_angle' in scene.coords else None
    out[reg == Regime.NIGHT] = 3
    out[reg == Regime.TWILIGHT] = 2
    if sza is not None:
        out[(reg == Regime.DAY)] = 0
        out[(reg == Regime.DAY) & (sza >= 60)] = 1
    else:
        out[reg == Regime.DAY] = 4
    out[reg == UNKNOWN] = 5
    return out

LIGHT = {0: ('day_high',), 1: ('day_low',), 2: ('twilight',), 3: ('night',), 4: ('day_high', 'day_low'), 5: ('night',)}

USED = {c: set(JOINT[L[0]]) | ({x for ch in CHAINS for x in ch} if 'red' in JOINT[L[0]] else set()) for c, L in LIGHT.items()}
class Bayesian:
    name = 'bayesian'
    def __init__(self, threshold=0.5): self.threshold = threshold
    def setup(self, scene):
        view = View(scene)
        reg = view.regime
        shape = reg.shape
        land = np.full(shape, 2, np.intp)
        if 'confidence' in scene:
            o, k = decode_flag(scene['confidence'], 'ocean')
            l, _ = decode_flag(scene['confidence'], 'land')
            land[l & k] = 1
            land[o & k] = 0
        lat = scene['latitude'].values if 'latitude' in scene.coords else None
        day = None
        st = scene.attrs.get('start_time')
        if st is not None:
            day = int(np.datetime64(str(st).rstrip('Z')).astype('datetime64[D]').astype(object).timetuple().tm_yday)
        return view, reg, Ground(land, lat, day, (reg == Regime.DAY), 1.0)
    def spectral(self, scene, view, reg, ground, bg, split, diff):
        light = lights(scene, reg)
        secant = np.broadcast_to(view.secant.astype(np.float32), reg.shape)
        odds = np.full((*reg.shape,2), np.nan, np.float32)
        flat = odds.reshape(-1,2)
        have = bands_present(scene)
        for code in np.unique(light):
            if code == 255: continue
            r = {0: 2, 1: 2, 2: 1, 3: 0, 4: 2, 5: 255}[int(code)]
            use = [b for b in usable_bands(r) if b in have]
            where = np.flatnonzero(light.ravel() == code)
            bands = {b: scene[b].values.ravel()[where] for b in use}
            B = bg.kelvin.ravel()[where]; S = bg.sigma_kelvin.ravel()[where]
            f = thermal_features(bands, Clear(B, split.ravel()[where], diff.ravel()[where]), sunlit=r == 2)
            f |= reflected_features(bands)
            f = {n: f[n] for n in f if n in USED[int(code)]}; names = list(f)
            pattern = np.zeros(where.size, np.int64)
            for i, n in enumerate(names): pattern |= np.isfinite(f[n]).astype(np.int64) << i
            place = place_index(B, S, ground.land.ravel()[where])
            for p in np.unique(pattern):
                sel = slice(None) if (pattern == p).all() else np.flatnonzero(pattern == p)
                fin = tuple(n for i, n in enumerate(names) if p >> i & 1)
                if not fin: continue
                g = {n: f[n][sel] for n in fin}
                tot = 0
                for L in LIGHT[int(code)]:
                    tot = tot + sum(e.log_ratio(g, place[sel]) for e in evidence(L, fin)) / len(LIGHT[int(code)])
                flat[where[sel]] = tot
        return odds
    def texture(self, view, ground):
        x = np.log(np.maximum(view.spread_kelvin, 0.02))
        def g(m, sd):
            m, sd = np.array(m)[ground.land], np.array(sd)[ground.land]
            return (-.5*np.minimum(np.abs((x-m)/sd), 4)**2 - np.log(sd)).astype(np.float32)
        bare = g(*P['bare']); 
        return np.nan_to_num(np.stack([g(*P['veil'])-bare, g(*P['cloud'])-bare], -1))
    def odds(self, scene, dbg=None):
        view, reg, ground = self.setup(scene)
        s8 = view['S8']
        bg0 = bg = first_guess(s8, ground)
        tex = self.texture(view, ground)
        pc, pv = P['pc'], P['pv']
        prior = np.log(np.array([(1-pc)*pv, pc])/((1-pc)*(1-pv))).astype(np.float32)
        secant = np.broadcast_to(view.secant.astype(np.float32), reg.shape)
        split=split0 = Background(usual_split_kelvin(bg.kelvin, secant), np.full(reg.shape, .3, np.float32))
        diff=diff0 = Background(usual_difference_kelvin(bg.kelvin, secant), np.full(reg.shape, .3, np.float32))
        small=np.array((.1,.3,.2),np.float32)
        for i in range(P['passes']):
            if i:
                w = 1/(1+np.exp(np.clip(o, -30, 30)))
                bg = refined(s8, w, bg0, ground, ROUGH_KELVIN)
                if 'S9' in scene and P['resplit']: split = refined(s8-view['S9'], w, split0, ground, small)
                if 'S7' in scene and P['rediff'] and (reg==0).any(): diff = refined(view['S7']-s8, np.where(reg==0,w,0), diff0, ground, small)
            sp = self.spectral(scene, view, reg, ground, bg, split.kelvin, diff.kelvin)
            r = sp + P['texture']*tex + prior
            o = r[...,1] - np.logaddexp(0, r[...,0])
            if dbg is not None: dbg.append((bg, sp, o))
        if P['ctx']: 
            z=np.nan_to_num(np.clip(o,-P['lim'],P['lim'])); m=np.isfinite(o).astype(np.float32)
            o = (1-P['ctx'])*o + P['ctx']*ndimage.uniform_filter(z,P['box'])/np.maximum(ndimage.uniform_filter(m,P['box']),.01)
        return o
    def predict(self, scene):
        o = self.odds(scene)
        return build_mask(scene, 1/(1+np.exp(-np.clip(o, -30, 30))), threshold=self.threshold, detector=self.name)
